"""The alerts, by subject. Each module has ``groups(parameters)``."""
