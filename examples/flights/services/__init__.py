"""Services of the flights platform."""
