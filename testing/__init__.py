"""For the tests of a team's own pipelines: a pytest plugin with throwaway warehouses, lakes and replicas.

    platform    dataops.yaml, and running its pipelines with the code of the work tree
    warehouse   a Postgres database with the tables and rows of the platform, a new one for each test
    lake        the objects of the platform, a new copy for each test
    replica     the whole environment of the commit that is checked out; its data are laid anew when a test used it

The plugin is found by pytest by itself. Nothing of Docker is imported unless `--dataops-target docker` asks for it.
"""
