"""What makes each science different: targets, loss, default network, decoding, online score.

May import ``networks``, ``core``. Never trains and never writes files: one trainer and one predictor know only
:class:`~medarch.tasks.task.Task`.
"""
