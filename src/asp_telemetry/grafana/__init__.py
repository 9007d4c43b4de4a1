"""Gives Grafana its dashboards: what their panels ask and show, and the files that it reads."""
