"""The exceptions of this package, each with a message that says name, value and remedy."""


class AspTelemetryError(Exception):
    """Be the base of every exception that this package raises on purpose."""


class ConfigurationError(AspTelemetryError):
    """Say that a setting is wrong; raised by `configure()` and the command line, never by a tracked call."""


class MigrationError(AspTelemetryError):
    """Say why the database's schema cannot be brought to the version that this code needs."""


class StoreUnavailableError(AspTelemetryError):
    """Say that the database cannot be reached or written just now; the records wait in the journal."""


class RowRefusedError(AspTelemetryError):
    """Say that the database is well but refuses a row of this batch."""


class VerificationError(AspTelemetryError):
    """Say that what was written is not what was read: a copy differs from its source."""


class PositionMovedError(AspTelemetryError):
    """Say that another drainer has already committed what this batch holds."""


class BackupError(AspTelemetryError):
    """Say why a backup, an archive or a restored database is not what it should be; the database stays as it was."""
