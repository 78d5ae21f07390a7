# How the functions and layers are packed. Included by the Makefile.

LOCKED := layers/core layers/polars \
	functions/forecast_prophet functions/forecast_statsforecast functions/generate_report

# What a package names but its function does not need, or what the core layer has already: resolved, but not installed.
LEFT_OUT_functions/forecast_prophet := matplotlib contourpy cycler fonttools kiwisolver pillow pyparsing tzdata
LEFT_OUT_functions/forecast_statsforecast := fugue triad adagio pyarrow typing-extensions tzdata
LEFT_OUT_functions/generate_report := annotated-types jmespath numpy orjson pydantic pydantic-core pyyaml \
	typing-extensions typing-inspection websockets zstandard

# No index addresses in the files: whoever installs may use an index of their own. The versions are the ones that the
# tests run with.
LOCK := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.13 \
	--python-platform x86_64-manylinux_2_28 --constraint requirements/dev.txt

.PHONY: lock build

lock: $(VENV)/.ready  ## pin what the functions and layers need (after a change of requirements.in or dev.txt)
	@$(foreach folder,$(LOCKED),$(LOCK) $(LEFT_OUT_$(folder):%=--no-emit-package %) $(folder)/requirements.in \
		--output-file $(folder)/requirements.txt >/dev/null && echo "$(folder)/requirements.txt" &&) true

build: $(VENV)/.ready  ## pack the functions and layers for AWS, without Docker
	@sam build
