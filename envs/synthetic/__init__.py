"""Made-up rows for the tables and objects of a platform, from nothing but its schema, its rules and a seed."""
