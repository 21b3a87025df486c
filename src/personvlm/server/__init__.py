"""HTTP: REST with OpenAPI, an OpenAI- and an Ollama-compatible endpoint, authentication, limits, metrics.

Needs the extra ``service`` (``pip install 'personvlm[service]'``). Begin with :func:`personvlm.server.app.create_app`.
"""
