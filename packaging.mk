# How the functions and layers are packed. Included by the Makefile.

LOCKED := layers/core layers/polars \
	functions/forecast_prophet functions/forecast_statsforecast functions/generate_report

# What a package names but its function does not need, or what the core layer has already: resolved, but not installed.
LEFT_OUT_functions/forecast_prophet := matplotlib contourpy cycler fonttools kiwisolver pillow pyparsing tzdata
LEFT_OUT_functions/forecast_statsforecast := fugue triad adagio pyarrow typing-extensions tzdata
LEFT_OUT_functions/generate_report := annotated-types jmespath numpy orjson pydantic pydantic-core pyyaml \
	typing-extensions typing-inspection websockets zstandard

# The functions' processor: x86_64 or arm64. `sam build` hands it on to the Makefiles of layers and functions, which fetch
# wheels for it; the stack's parameter says the same to Lambda.
ARCH ?= x86_64
export ARCH

# No index addresses in the files: whoever installs may use an index of their own. The versions are the ones that the
# tests run with.
LOCK := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.13 \
	--python-platform x86_64-manylinux_2_28 --constraint requirements/dev.txt

.PHONY: lock build digests imports reproducible sbom deploy smoke destroy

lock: $(VENV)/.ready  ## pin what the functions and layers need (after a change of requirements.in or dev.txt)
	@$(foreach folder,$(LOCKED),$(LOCK) $(LEFT_OUT_$(folder):%=--no-emit-package %) $(folder)/requirements.in \
		--output-file $(folder)/requirements.txt >/dev/null && echo "$(folder)/requirements.txt" &&) true

build: $(VENV)/.ready  ## pack the functions and layers for AWS, without Docker
	@sam build --parameter-overrides Architecture=$(ARCH)

digests: build  ## the archives that are deployed, with the SHA-256 by which Lambda tells what runs
	@python -m tools.zips --architecture $(ARCH)

imports: build  ## CPU seconds that each handler takes to import in a cold start; exit 1 over budget
	@python -m tools.imports

reproducible: $(VENV)/.ready  ## build two checkouts of what is committed; exit 1 where a digest differs
	@python -m tools.reproducible

# A bill of materials for each lock file: CycloneDX 1.6, without times or random numbers, so that equal locks give equal
# files. The versions and hashes are the ones that are installed into the packages.
SBOM := build/sbom

sbom: $(VENV)/.ready  ## what each package consists of, as CycloneDX, in build/sbom
	@mkdir -p $(SBOM)
	@$(foreach folder,$(LOCKED),cyclonedx-py requirements $(folder)/requirements.txt --output-reproducible \
		--output-file $(SBOM)/$(notdir $(folder)).cdx.json \
		&& echo "$(SBOM)/$(notdir $(folder)).cdx.json" &&) true

ENV ?= dev
STACK := energy-analytics-$(ENV)

deploy: digests  ## build, archive and deploy ENV=dev or ENV=prod (samconfig.toml); ARCH=arm64 for Graviton
	@overrides="$$(python -m tools.overrides $(ENV) Architecture=$(ARCH))" && sam deploy \
		--template-file .aws-sam/zips/template.yaml --config-env $(ENV) --parameter-overrides $$overrides \
		$(if $(CI),--no-confirm-changeset)

smoke: $(VENV)/.ready  ## after a deployment: a sample from upload to report through the stack of ENV, and away again
	@energy smoke --stack $(STACK)

destroy: $(VENV)/.ready  ## delete the stack of ENV; its data stays, unless DATA=delete
	@python -m tools.destroy $(STACK) $(if $(filter delete,$(DATA)),--delete-data)
