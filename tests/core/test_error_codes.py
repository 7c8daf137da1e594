"""Codes of errors: users look them up, so each names one kind."""

from collections import Counter

from medarch.core import errors


def test_every_kind_of_error_has_a_code_of_its_own():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MedarchError)]
    assert len(kinds) > 10
    assert [code for code, count in Counter(kind.code for kind in kinds).items() if count > 1] == []
