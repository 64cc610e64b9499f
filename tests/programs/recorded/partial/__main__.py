"""Resources that were made but are not ready: recorded, updated again, then fine; their dependents wait."""

from kit import Thing, step

a = Thing("a", value=str(step // 3), partial=step < 3 or None)
Thing("b", value=a.token)
