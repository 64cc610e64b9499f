"""The default provider is configured by the stack; a new configuration updates or replaces it and what it manages."""

from kit import Thing

a = Thing("a", value="a")
Thing("b", value=a.token)
