"""Where the static files of this release are found.

The platform gives each release an address of its own (STATIC_URL), so that a page that was
loaded from one release never gets the pictures of another.
"""

_base = "/static"


def use(static_url: str) -> None:
    """Say once, when the application is made, where they are."""
    global _base
    _base = static_url


def static(path: str) -> str:
    """The address of a static file."""
    return f"{_base}/{path}"
