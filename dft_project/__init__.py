"""The Django project: settings, mounting, contrib configuration."""
