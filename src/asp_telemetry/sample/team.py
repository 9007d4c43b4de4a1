"""Says who the invented team is: its projects, people, agents, and what happens to it on which day."""

from random import Random
from typing import Final, NamedTuple

DAYS: Final = 91
"""How many days the sample goes back."""

MODEL_SWITCH: Final = 63
REGRESSION: Final = 42
REPAIR: Final = 28
"""Days ago: coding moves to another model; version 1.4.0 of the coding agent wastes tokens; 1.4.1 repairs it."""

INCIDENT: Final = 16
"""Days ago, a weekday at the latest three days before: a provider is down, and nobody falls back yet."""

TAG: Final = "sample"
PREFIX: Final = "SAMPLE-"
"""How the ids of its tasks begin."""

PEOPLE: Final = ("ana", "ben", "chloe", "deniz")
FLAWED_FILE: Final = "src/payments/gateway.py"


class Project(NamedTuple):
    """Be one project: its name, how much of the work it gets, who does it, what it is made of, and what is asked of it."""

    name: str
    share: int
    agent: str
    components: tuple[str, ...]
    requests: tuple[tuple[str, str], ...]


class Phase(NamedTuple):
    """Be one phase of a task and its agent.

    Attributes:
        role: The agent's role.
        name: The name of its executions.
        tokens_in: Input tokens per unit of complexity.
        tokens_out: Output tokens per unit of complexity.
        provider: Who serves its model.
        model: Its model.
        tools: The tools that it calls.
    """

    role: str
    name: str
    tokens_in: int
    tokens_out: int
    provider: str
    model: str
    tools: tuple[str, ...] = ()


PROJECTS: Final = (
    Project(
        "Checkout", 5, "payments_coder",
        (FLAWED_FILE, "src/payments/refunds.py", "src/cart/totals.py", "src/cart/vouchers.py"),
        (
            ("payments", "Refund an order in parts"),
            ("payments", "Retry a payment that the bank has not confirmed"),
            ("cart", "Let customers combine two vouchers"),
            ("cart", "Round totals by the rules of the currency"),
        ),
    ),
    Project(
        "Mobile-App", 3, "app_coder",
        ("app/session.py", "app/offline/sync.py", "app/screens/profile.py"),
        (
            ("authentication", "Let users sign in with a passkey"),
            ("offline", "Keep changes made offline, and merge them later"),
            ("profile", "Show the orders of the last year in the profile"),
        ),
    ),
    Project(
        "Data-Platform", 2, "data_engineer",
        ("etl/load_orders.py", "etl/schema.py", "reports/weekly.py"),
        (
            ("pipeline", "Load the orders of a day twice without doubling them"),
            ("reporting", "Send the weekly report to each region in its own time zone"),
        ),
    ),
)  # fmt: skip

PHASES: Final = (
    Phase("Planning", "plan", 420, 60, "anthropic", "claude-sonnet-4-5"),
    Phase("Design", "design", 520, 95, "openai", "gpt-4.1"),
    Phase("DesignReview", "review_design", 380, 30, "openai", "gpt-4.1-mini"),
    Phase("Code", "write_code", 1500, 310, "anthropic", "claude-sonnet-4-5", ("read_file", "write_file")),
    Phase("CodeReview", "review_code", 900, 70, "anthropic", "claude-haiku-4-5"),
    Phase("Test", "test", 640, 85, "openai", "gpt-4.1-mini", ("run_tests",)),
)
POSTMORTEM: Final = Phase("Postmortem", "look_back", 260, 45, "openai", "gpt-4.1-mini")
OLD_CODER: Final = ("openai", "gpt-4.1")
"""Who served the coding agent before the switch, and who steps in for a provider that is down, since the incident."""

DEFECT_TYPES: Final = (
    ("6_Conventional_Code_Bug", 44),
    ("2_Prompt_Misinterpretation", 16),
    ("4_Hallucination", 13),
    ("1_Planning_Failure", 9),
    ("3_Tool_Use_Error", 7),
    ("7_Task_Execution_Error", 5),
    ("5_Security_Vulnerability", 4),
    ("8_Alignment_Deviation", 2),
)
SEVERITIES: Final = (("Low", 40), ("Medium", 38), ("High", 17), ("Critical", 5))


def chosen(chance: Random, weighted: tuple[tuple[str, int], ...]) -> str:
    """Choose one of several names by their weights.

    Example:
        >>> chosen(Random(1), (("always", 1), ("never", 0)))
        'always'
    """
    names, weights = zip(*weighted, strict=True)
    return str(chance.choices(names, weights)[0])


def code_version(days_ago: int) -> str:
    """Return the version of the coding agent on a day.

    Example:
        >>> code_version(91), code_version(35), code_version(0)
        ('1.3.2', '1.4.0', '1.4.1')
    """
    return "1.3.2" if days_ago > REGRESSION else "1.4.0" if days_ago > REPAIR else "1.4.1"


def learned(days_ago: int) -> float:
    """Return how far the team has learned on a day, from 0 at the beginning of the sample to 1 now.

    Example:
        >>> learned(91), learned(0)
        (0.0, 1.0)
    """
    return max(0.0, 1 - days_ago / DAYS)
