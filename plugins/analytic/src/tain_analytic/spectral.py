"""Functions of the eigenvalues of symmetric matrices, with derivatives that are right at equal eigenvalues too.

f(X) = U diag(f(lambda)) U' for X = U diag(lambda) U'. Its derivative is the product of Daleckii and Krein,

    Df(X) V = U (F o (U' V U)) U',   F_ij = (f(lambda_i) - f(lambda_j)) / (lambda_i - lambda_j),   F_ii = f'(lambda_i),

with o entry by entry, and the second one, in the directions V and H, has in the basis U the entries

    sum over k of T_ikj (v_ik h_kj + h_ik v_kj),    T_ikj = (F_ik - F_kj) / (lambda_i - lambda_j),

v = U' V U and h = U' H U. Differentiating U instead, as torch does for `torch.linalg.eigh`, divides by the differences
of eigenvalues, and gives NaN where two are equal.

Source: Functions of Matrices, https://doi.org/10.1137/1.9780898717778 (theorem 3.11)
"""

from collections.abc import Callable
from typing import Any, NoReturn

import attrs
import torch
from torch import Tensor

from tain import MissingCapabilityError
from tain_analytic.symmetric import symmetric

__all__ = ["Differences", "Rule", "derivative", "eigenvalues", "function"]


@attrs.frozen
class Differences:
    """What is needed of f at the eigenvalues of a matrix.

    Attributes:
        images: f of each, (B, n).
        first: the divided differences F, (B, n, n).
        second: computes the T of the second derivative, (B, n, n, n); None if there is none.
    """

    images: Tensor
    first: Tensor
    second: Callable[[], Tensor] | None = None


Rule = Callable[[Tensor], Differences]


def eigenvalues(X: Tensor) -> Tensor:
    """In ascending order, NaN for matrices that are not finite: symmetric (B, n, n) to (B, n).

    Sums over a function of them have the right gradient also where some are equal, but no second derivative there.
    """
    finite = _finite(X)
    return torch.where(finite[:, :, 0], torch.linalg.eigvalsh(torch.where(finite, X, 0)), torch.nan)


def function(X: Tensor, rule: Rule) -> Tensor:
    """f(X), symmetric, differentiable in X as often as the rule knows: symmetric (B, n, n) to (B, n, n)."""
    result: Tensor = _Function.apply(X, rule)
    return result


def derivative(X: Tensor, V: Tensor, rule: Rule) -> Tensor:
    """Df(X) V, symmetric, differentiable in V, and in X if the rule has `second`: (B, n, n), (B, n, n) to (B, n, n)."""
    values, U = _decomposed(X.detach())
    return _product(V, X, U, rule(values))


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, X: Tensor, rule: Rule) -> Tensor:
        values, U = _decomposed(X)
        ctx.differences = rule(values)
        ctx.save_for_backward(X, U)
        return symmetric((U * ctx.differences.images[:, None]) @ U.mT)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        X, U = ctx.saved_tensors
        return _product(slopes[0], X, U, ctx.differences), None  # Df(X) is its own transpose


def _product(V: Tensor, X: Tensor, U: Tensor, differences: Differences) -> Tensor:
    result: Tensor = _Product.apply(V, X if differences.second else _Last.apply(X), U, differences)
    return result


class _Product(torch.autograd.Function):
    """The product of Daleckii and Krein: linear in V, and its own transpose."""

    @staticmethod
    def forward(ctx: Any, V: Tensor, X: Tensor, U: Tensor, differences: Differences) -> Tensor:
        ctx.differences = differences
        ctx.save_for_backward(V, X, U)
        return symmetric(U @ (differences.first * _turned(V, U)) @ U.mT)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        V, X, U = ctx.saved_tensors
        again = None
        if ctx.needs_input_grad[1]:
            second = ctx.differences.second
            again = _Second.apply(V, slopes[0], X, U, second()) if second else torch.zeros_like(X)  # `_Last` refuses
        return _Product.apply(slopes[0], X, U, ctx.differences), again, None, None


class _Second(torch.autograd.Function):
    """The second derivative in the directions V and H."""

    @staticmethod
    def forward(ctx: Any, V: Tensor, H: Tensor, X: Tensor, U: Tensor, T: Tensor) -> Tensor:
        half = torch.einsum("bikj,bik,bkj->bij", T, _turned(V, U), _turned(H, U))
        return 2 * symmetric(U @ half @ U.mT)  # half's transpose is the other half of the sum

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        _refuse()


class _Last(torch.autograd.Function):
    """X itself, where all derivatives in it are taken that there are; another one would silently be zero."""

    @staticmethod
    def forward(ctx: Any, X: Tensor) -> Tensor:
        return X.view_as(X)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        _refuse()


def _refuse() -> NoReturn:
    raise MissingCapabilityError(
        "A function of a symmetric matrix was to be differentiated more often than it can be: mirror maps twice, "
        "projections and retractions once. Detach the matrix, or take differences of derivatives."
    )


def _turned(V: Tensor, U: Tensor) -> Tensor:
    return U.mT @ symmetric(V) @ U


def _decomposed(X: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (B, n) and eigenvectors (B, n, n); eigenvalues NaN for matrices that are not finite."""
    finite = _finite(X)
    values, U = torch.linalg.eigh(torch.where(finite, X, 0))
    return torch.where(finite[:, :, 0], values, torch.nan), U


def _finite(X: Tensor) -> Tensor:
    """Which matrices are finite, (B, 1, 1). LAPACK fails for the whole batch where one is not."""
    return torch.isfinite(X).flatten(1).all(1)[:, None, None]
