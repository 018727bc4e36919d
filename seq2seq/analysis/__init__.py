"""Analysis of states: interventions, probes, and pictures of them and of traces."""
