"""Versions and addresses of plugins, mappings of environment variables, default providers that are not allowed."""

import pulumi
from kit import Acme, Options, Thing, step

url = "https://example.com/plugins/"
mine = Acme(
    "mine",
    Options(
        env_var_mappings={"NO_COLOR": "ACME_REGION"} if step else {"NOWHERE": "ACME_REGION"}, plugin_download_url=url
    ),
)
Thing("a", opts=Options(provider=mine))
if step < 2:
    Thing("b", opts=Options(version="1.0.0"))
    Thing("c", opts=Options(version="1.1.0", plugin_download_url=url))
    Thing("d", opts=Options(plugin_download_url=url if step else None))
    pulumi.export(
        "found",
        pulumi.runtime.invoke("acme:index:double", {"value": 2}, pulumi.InvokeOptions(version="1.0.0")).value[
            "doubled"
        ],
    )
if step == 3:
    Thing("e")
