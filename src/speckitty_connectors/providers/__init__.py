"""What a provider plugin is made of: the manifest, the types of the hooks, and the registry of plugins."""
