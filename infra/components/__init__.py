"""What a platform is built of, as Pulumi resources and components.

Words: a *resource* is one thing that a provider makes (`processes`, `postgres`, `storage`, `workspace`, `snapshot`); a
*component* is a part of a platform made of several: `Workspace`, `Warehouse`, `Lake`, `Access`, `Pipeline`, `Service`,
and `DataPlatform`, which is all of it. A Pulumi program may use either.
"""
