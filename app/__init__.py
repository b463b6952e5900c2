"""wardlist: signed, versioned, independently reviewed blocking lists."""

__version__ = "0.1.0"
