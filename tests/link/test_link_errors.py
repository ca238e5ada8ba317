import inspect

import link
from link import errors


def test_the_package_docstring_draws_every_error():
    for name, error in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(error, errors.LinkError)
        assert name in link.__doc__


def test_wire_errors_are_value_errors():
    assert issubclass(errors.SideInfoError, errors.WireError)
    assert issubclass(errors.WireError, ValueError)


def test_a_refusal_tells_status_and_reason():
    refused = errors.Refused(401, "wrong token")
    assert (refused.status, refused.message, str(refused)) == (
        401,
        "wrong token",
        "401 wrong token",
    )
    assert str(errors.SessionEnded("peer said goodbye")) == "peer said goodbye"
