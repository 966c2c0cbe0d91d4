"""What every report's prompt has in common, and how a prompt is rendered from an entry of the registry."""
