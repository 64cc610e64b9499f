"""The program of this repository: an environment of the platform that `dataops:platformFile` names."""

from dataops.stacks import deploy

deploy()
