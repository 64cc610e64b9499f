"""Values: unicode, large ones, none, empty ones, numbers, assets and archives, outputs of them, references."""

import pulumi
from kit import Group, Thing, step

big = "0123456789abcdef" * 4096
a = Thing("ünï-çødé ☃", value={"ключ": "значение 𝄞", "tab\t": "line\nbreak", "\u2028": "quote\"'"})
Thing("big", value=big * 20 if step == 0 else big)
Thing(
    "nothing",
    value={"none": None, "empty": "", "list": [], "dict": {}, "zero": 0, "false": False, "in": [None, 1, None]},
)
Thing("numbers", value=[0.1, 1e300, -0.0, 2**53, 3.0, True], size=2.5)
Thing("asset", value=pulumi.StringAsset(f"text {step}"), file=pulumi.FileAsset("kit.py"))
archive = pulumi.AssetArchive({"a.txt": pulumi.StringAsset("a"), "dir/b.txt": pulumi.StringAsset(f"b {step}")})
Thing("archive", value=archive, inner={"list": [pulumi.StringAsset("in"), archive]})
Thing("later", value=a.token.apply(lambda token: pulumi.StringAsset(f"asset of {token}")))
Thing("hidden", value=pulumi.Output.secret(pulumi.StringAsset("shh")))
Thing("names", **{"a.b": 1, "c[0]": "x", "d d": {'e"f': 1}})
group = Group("g")
Thing("refers", value=a, other=[group])
pulumi.export("a", a)
pulumi.export("none", None)
pulumi.export("asset", pulumi.StringAsset("out"))
pulumi.export("later", a.token.apply(lambda token: {"t": [token, None]}))
