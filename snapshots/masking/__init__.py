"""Masking: what the rules of `dataops.infra.platform.masking` do to values.

A *masker* is a rule at work under the platform's masking key. It sees distinct values as text, never NULL, as Postgres
writes them; values of Parquet files are written the same way first, so that equal values stay equal across both.
Its key is derived from the masking key and the rule with its options, so the same rule does the same everywhere.
"""
