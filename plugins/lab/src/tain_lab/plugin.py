"""tain-lab provides no component; its entry point makes it show in `tain plugins`."""

__all__: list[str] = []
