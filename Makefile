# PersonVLM: everything a newcomer or CI needs. Wants only make and Python 3.10 or newer.
#
#   make demo      the whole pipeline on drawn people, and a report (installs what it needs, no torch);
#                  make demo STAY=1 then serves the web page
#   make test      the test suite (installs everything, torch included)
#   make install   .venv with what everything but training needs
#   make dev       .venv with everything: training, video, tests, linters
#   make accept    long timed checks
#   make lint      ruff and mypy
#   make audit     ask for known vulnerabilities of the releases in constraints.txt (needs a network)
#   make pins      write constraints.txt anew from what is installed in .venv
#   make table     fill the README's table and write the model card from the shipped weights' metrics.json; and write
#                  the references of commands and HTTP (docs/cli.md, docs/http.md) from the code
#   make bench     measure how fast it is on this machine, for docs/bench.json and the README
#   make reproduce train the shipped model anew, about three hours on two cores; DATA=folder with the public sets, OUT=runs;
#                  goes on where it was stopped
#   make picture   make the README's picture (needs Chromium or Chrome)
#   make schema    write docs/schema/*.schema.json
#   make clean     remove .venv, caches and reports

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Research data and pretrained weights lie beside the checkout on some machines. A value that is set wins.
ifeq ($(origin PERSONVLM_ASSETS),undefined)
ifneq ($(wildcard ../shared/.),)
export PERSONVLM_ASSETS := $(abspath ../shared)
endif
endif

.PHONY: help install dev demo test accept lint audit pins table bench reproduce picture schema clean
.DEFAULT_GOAL := help

help:
	@sed -n '2,/^$$/s/^#  \{0,1\}//p' Makefile

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo "PersonVLM needs Python 3.10 or newer; name one with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "Python cannot make virtual environments here (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing PersonVLM with what cameras, store and server need (no torch)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[video,service]'
	@touch $@

$(VENV)/.dev: $(VENV)/.installed tools/torch_source.py
	@echo "Installing what training and the tests need (torch too; this takes a few minutes)"
	@$(BIN)/python -m pip install -q -c constraints.txt $$($(BIN)/python tools/torch_source.py) -e '.[train,video,service,postgres,redis,rabbitmq,mqtt,notify,s3,parquet,otel,dev]'
	@touch $@

install: $(VENV)/.installed

dev: $(VENV)/.dev

demo: install
	@$(BIN)/personvlm demo $(if $(STAY),--stay)

# A process per core, up to four; what measures time comes after them, with the machine to itself.
test: dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not accept and not alone"
	$(BIN)/python -m pytest -m alone

accept: dev
	$(BIN)/python -m pytest -m accept

lint: dev
	$(BIN)/ruff check src tests tools
	$(BIN)/mypy

audit: dev
	@$(BIN)/python tools/audit.py $(AUDIT)

pins: dev
	$(BIN)/python tools/pins.py

table: install
	$(BIN)/python tools/readme_table.py
	$(BIN)/python tools/model_card.py
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/openapi.py
	$(BIN)/python tools/http_reference.py
	$(BIN)/python tools/pipeline_picture.py

bench: dev
	$(BIN)/personvlm bench --compare --cameras --out docs $(if $(STAGE4),--stage4 $(STAGE4))
	$(BIN)/python tools/readme_bench.py

DATA ?= $(PERSONVLM_ASSETS)/data
OUT ?= runs

reproduce: $(OUT)/joined/calibration.json
	$(BIN)/python tools/measure.py $(OUT)/joined --data "$(DATA)/peta/test.jsonl"

$(OUT)/edge/calibration.json: | $(VENV)/.dev
	$(BIN)/personvlm train edge --data "$(DATA)" --out $(OUT)/edge --set encoder=mobilenet_v2

$(OUT)/text/calibration.json: $(OUT)/edge/calibration.json
	$(BIN)/personvlm train edge --data "$(DATA)" --out $(OUT)/text --from $(OUT)/edge \
		--set vision=false --set steps=450 --set lr=0.001 --set decoder_lr=1 --set ema=0.985

$(OUT)/second/calibration.json: $(OUT)/text/calibration.json
	$(BIN)/personvlm train edge --data "$(DATA)" --out $(OUT)/second --from $(OUT)/text --set shared=6 \
		--set crossed=0.5 --set phases=3200x192x96,1000x256x128 --set ema=0.995 --set seed=3

$(OUT)/joined/calibration.json: $(OUT)/second/calibration.json
	$(BIN)/personvlm train edge --data "$(DATA)" --out $(OUT)/joined --from $(OUT)/text --beside $(OUT)/second \
		--set vision=false --set phases=60x256x128+text --set lr=0.0003 --set decoder_lr=1 --set ema=0.9

picture: install
	$(BIN)/python tools/demo_picture.py

schema: install
	$(BIN)/personvlm schema > docs/schema/person_description.schema.json
	$(BIN)/python -c 'import json; from personvlm.events.message import json_schema; print(json.dumps(json_schema(), indent=1))' \
		> docs/schema/describe_request.schema.json

clean:
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
