"""A program that declares nothing."""
