// Stands in for TensorFlow Lite Micro's header of that name: it remembers what was added.
#pragma once
#include <string>
#include <vector>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

namespace tflite {

struct MicroOpResolver {
  std::vector<std::string> names;
  unsigned places = 0;
};

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  MicroMutableOpResolver() { places = tOpCount; }
  TfLiteStatus AddAdd() { return Add("ADD"); }
  TfLiteStatus AddFullyConnected() { return Add("FULLY_CONNECTED"); }
  TfLiteStatus AddLogistic() { return Add("LOGISTIC"); }
  TfLiteStatus AddMul() { return Add("MUL"); }
  TfLiteStatus AddSoftmax() { return Add("SOFTMAX"); }
  TfLiteStatus AddSplit() { return Add("SPLIT"); }
  TfLiteStatus AddSub() { return Add("SUB"); }
  TfLiteStatus AddTanh() { return Add("TANH"); }

 private:
  TfLiteStatus Add(const char* name) {
    if (names.size() == places) return kTfLiteError;  // As TFLM's: no place is left.
    names.push_back(name);
    return kTfLiteOk;
  }
};

}  // namespace tflite
