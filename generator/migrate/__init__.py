"""What others' manifests say, as a catalog and an environment: `import`."""
