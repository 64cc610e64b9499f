"""The platform: what `dataops.yaml` says, where its files lie, and what tells one environment from another.

Words: a platform has *stores* (a warehouse of tables, a lake of objects); *pipelines* of *steps* that make *datasets*
out of others; *products*, tables that others rely on; *roles* with rights on products; *masking* rules for each column;
*environments* that are all built from the same declarations and differ by their *parameters*.
"""
