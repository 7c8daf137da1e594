"""Comparison studies: datasets × methods × folds × seeds become isolated runs, and the runs become one table.

May import ``core``, ``planning``, ``evaluation``, ``io`` and ``reporting``. Runs methods as processes of their own,
medarch among them, and never imports nnU-Net.
"""
