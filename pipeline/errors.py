"""The few errors a user can put right.

Each carries one line that names the file, key, row or URL and says what was expected. The command
line prints that line and exits with code 2; anything else is a fault of ours and exits with 1.
"""


class UserError(Exception):
    """Something the user can put right; the message is one complete line."""


class SettingsError(UserError):
    """The site file cannot be read or holds a wrong key or value."""


class SourceError(UserError):
    """A camera's input is missing, unreadable, malformed or ends too early."""


class WeightsError(UserError):
    """A model file is missing, unreadable or of the wrong kind."""


class StoreError(UserError):
    """The database cannot be opened, read or written."""


class GroundTruthError(UserError):
    """The ground truth is missing, malformed or does not fit the cameras of the run."""


class DatasetError(UserError):
    """Labelled clips are missing, unreadable or not laid out as their data set is."""
