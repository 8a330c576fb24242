// An evaluation, and a training, as one page of HTML each that needs nothing else: plots, tables.
//
// Thread safety: pure functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "eval/evaluation_text.h"
#include "eval/prepared.h"
#include "eval/targets.h"
#include "learn/metrics.h"
#include "learn/model.h"
#include "learn/trainer.h"

namespace hf::eval {

struct Reliability {
  std::string name;
  std::vector<learn::ReliabilityBin> bins;
  learn::Metrics metrics;
};

// How well the chances of the model hold on these subtasks: of the edge's first result, of the one
// that an attempt keeps, of the cloud's before and after. `model` may be null.
std::vector<Reliability> reliability_of(const Prepared& data,
                                        const std::shared_ptr<const learn::Model>& model);

// `targets` may be null.
std::string evaluation_page(const Evaluation& evaluation, const Targets* targets,
                            const EvaluationNotes& notes,
                            const std::vector<Reliability>& reliability);

std::string training_page(const learn::Trained& trained);

}  // namespace hf::eval
