"""The alerts, by what they are about. Each module has ``groups(parameters)``."""
