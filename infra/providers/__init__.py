"""What makes resources exist: the provider protocol (`base`) and the kinds behind it."""
