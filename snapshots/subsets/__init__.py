"""Subsets: some rows of a database, chosen by rules, with every row that they refer to.

A rule *chooses* rows of a table, or has a table *go along*: its rows that refer to chosen rows are chosen, too. What
chosen rows refer to, and what that refers to, is *needed*. Both are sets of row numbers, worked out key by key and
batch by batch until nothing is added; nothing is written to the database, so a standby serves as well.
"""
