"""The service's own keys: sources, rotation, ceremony, the split between processes."""
