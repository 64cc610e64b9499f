"""The Pulumi program of this platform: `deploy` declares what dataops.yaml describes; declare more below it."""

from dataops.stacks import deploy

deploy()
