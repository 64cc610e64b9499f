"""`additional_secret_outputs`, nested secret outputs, secrets in objects of the configuration."""

import pulumi
from kit import Options, Thing, step

config = pulumi.Config()
a = Thing("a", value="a", opts=Options(additional_secret_outputs=["token", "generation"] if step == 0 else ["token"]))
Thing("b", value=a.token, leak=True)
leaky = Thing("leaky", value={"in": [pulumi.Output.secret("deep"), "shallow"]}, leak=True)
pulumi.export("token", a.token)
pulumi.export("nested", leaky.nested)
pulumi.export("object", config.get_object("object"))
pulumi.export("hidden", config.get_secret("plain"))
pulumi.export("mixed", {"one": pulumi.Output.secret(1), "two": [pulumi.Output.unsecret(pulumi.Output.secret(2))]})
