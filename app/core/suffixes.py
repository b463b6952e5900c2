"""The Public Suffix List, read when it is first asked for: most commands never ask.

Source: publicsuffix.org, as shipped with the publicsuffixlist package.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def every() -> PublicSuffixList:
    """All its rules: registries' and the PRIVATE section's."""
    return PublicSuffixList()


@cache
def icann() -> PublicSuffixList:
    """Registries' rules alone."""
    return PublicSuffixList(only_icann=True)
