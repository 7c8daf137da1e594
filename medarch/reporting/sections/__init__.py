"""The parts of the report, one a file; each returns a Section, with a reason when it has nothing to show."""
