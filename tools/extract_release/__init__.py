"""What one Ray release accepts, extracted from the installed classes."""
