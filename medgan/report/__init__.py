"""The page of an evaluation: one HTML file that needs no network and nothing beside it."""

from medgan.report.page import write_report

__all__ = ["write_report"]
