"""Knows which words of everyday requests mean the same, which say nothing, and which tell what is wanted.

General vocabulary of software and office work, English. Words stand in their stemmed or their plain form; what is not here
is compared by its letters alone.
"""

PHRASES = {
    r"(?:log|sign)(?:s|ging|ged|ing|ed)?[ -](?:in|on)\b": "login",
    r"(?:sign|signing|signed)[ -]?up\b|registration": "signup",
    r"roll(?:ing|ed|s)?[ -]?back\b": "rollback",
    r"roll(?:ing|ed|s)?[ -]?out\b": "deploy",
    r"(?:pull|merge)[ -]requests?\b|\bPRs?\b|\bMRs?\b": "pullrequest",
    r"e-mails?\b": "email",
    r"set(?:ting)?[ -]up\b": "setup",
    r"clean(?:ing)?[ -]up\b": "clean",
    r"back(?:ing|ed)?[ -]up\b": "backup",
    r"(?:two|multi|second)[ -]?factor\b|\b[2m]fa\b": "twofactor",
    r"(?:un)?it[ -]tests?\b": "tests",
    r"type (?:hint|annotation)s?\b": "typing",
    r"ssl|https": "tls",
    r"regular expressions?\b": "regex",
    r"read ?me\b": "readme",
    r"machine learning\b": "model training",
    r"sum(?:ming|med)? up\b": "summarise",
    r"out of date\b": "expired",
    r"up to date\b": "upgrade",
    r"c(?:ontinuous )?i(?:ntegration)?\b": "ci",
}
"""Expressions of several words, and spellings, that stand for one."""

SYNONYMS = """
fix repair resolve solve correct mend
bug defect fault error issue problem failure
broken fail crash wrong
slow latency lag sluggish
fast quick speed performance accelerate
login auth authentication authenticate credential signin
password passphrase
user customer client member
email mail message inbox
database db postgres postgresql mysql sqlite sql
query select statement
table relation
column field attribute
migrate port convert move
upgrade update bump outdated
dependency package library
deploy ship release publish
production prod live
staging preview
rollback revert undo restore
backup snapshot dump
ci pipeline workflow
test spec coverage
flaky unstable sporadic intermittent random nondeterministic
refactor restructure reorganise split extract simplify
rename
review audit inspect feedback critique
security vulnerability exploit injection leak
document documentation docs readme docstring guide manual
explain understand describe clarify
summarise summary abstract digest recap minutes
translate translation localise localization i18n
report chart dashboard statistics
analyse analysis investigate
predict forecast
churn attrition
pay payment checkout billing stripe
card visa mastercard
refund reimburse
cancel terminate unsubscribe
subscription plan
invoice bill
clean tidy dedupe deduplicate normalise
duplicate twice double
scrape crawl crawler scraper fetch
competitor rival
endpoint route api rest
upload attach attachment
export download
pdf document
theme dark light
container docker pod kubernetes k8s cluster
restart crashloopbackoff
certificate cert tls
expired renew
alert alarm notify notification alerting
monitor grafana prometheus
regex pattern
changelog history
onboarding welcome greet
advertisement ad posting vacancy
job hiring
meeting call appointment
schedule book plan
flight plane
hotel accommodation
trip travel journey
race concurrency concurrent deadlock simultaneous
cache redis memoise
memory ram rss oom
accessibility wcag a11y
infrastructure terraform provision aws cloud
model classifier training
add implement introduce create build
delete remove drop
write draft compose
file attachment
page screen view
"""
"""Words of one line mean much the same."""

INTENTS = {
    "debug": "fix repair bug fail crash debug error leak flaky deadlock restart | broken wrong expired declined rejected race never why",
    "test": "unittest coverage | tests",
    "document": "document documentation docs docstring changelog readme manual reference | notes diagram",
    "explain": "explain understand regex walk | how what why",
    "review": "review audit inspect feedback accessibility wcag | check look usable",
    "refactor": "refactor rename restructure typing annotate mypy | split extract replace modules",
    "optimize": "optimize faster speed cache shrink performance slow slowly | reduce load index seconds",
    "migrate": "migrate migration port upgrade bump alembic outdated | move update packages column",
    "deploy": "deploy ship rollback revert staging terraform provision ci alert alarm | production release backup infrastructure notify pipeline",
    "implement": "implement introduce support feature button | add create endpoint users",
    "translate": "translate translation localise | language",
    "summarize": "summarise summary minutes abstract transcript | findings meeting paper short",
    "analyze": "analyse predict forecast classifier cohort churn | report chart train trend model revenue likely",
    "transform": "clean convert deduplicate normalise scrape scraper crawl csv | extract collect fetch duplicates",
    "support": "refund reimburse subscription invoice | cancel money customer client account",
    "write": "draft compose advertisement letter posting | write message job",
    "schedule": "schedule flight hotel trip calendar | book meeting room plan time",
}
"""What a request may be about, in a word; the words that tell it, and behind the bar those that only may."""

_COMMON = """
add all allow app ask change check code create customer data do file find fix follow give help improve include issue list
make move need new page problem project provide put remove return run see send service set show start stop system take tell
thing time try update use user way work write
"""
COMMON = frozenset(_COMMON.split())
"""Words that stand in requests of every kind and so tell little of what makes this one special."""

_STOP_WORDS = """
a about above after all also am an and any are as at be because been but by can could did do does each either else
every few for from further get give had has have he her here him his i if in into is it its just let like look many may me
might more most much must my need needs no nor not now of off on once one only or other our out over own please pls same
shall she should since so some such than that the their them then there these they this those through to too under until us
very want wants was we were while who will with within would you your and that which when where what how why
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
