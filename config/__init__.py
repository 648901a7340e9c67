"""Settings of the process, read once from environment variables and checked at start."""

from config.settings import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]
