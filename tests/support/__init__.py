"""What several test files or tiers share: small catalogs, stored configurations, a stand-in of the hub."""
