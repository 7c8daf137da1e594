"""The parts of a study's report: its tables, once, and the formats they are written in."""
