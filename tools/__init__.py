"""The commands; installed as `medgan.tools`."""
