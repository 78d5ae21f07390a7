"""Unit tests talk to nobody."""

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def network_off():
    """Any socket but a local one of the operating system fails the test."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
