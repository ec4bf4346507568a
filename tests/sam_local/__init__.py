"""The built functions in Lambda's containers, as docs/local.md tells: ``python -m tests.sam_local`` runs these tests.

It finds a container engine, or as root on Debian unpacks and starts one of its own, and sees to the base image.
"""
