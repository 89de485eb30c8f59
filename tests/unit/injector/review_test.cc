#include "docker/injector/review.h"

#include <gmock/gmock.h>

#include <set>

namespace ocfsgw::injector {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Json Pod(const std::string& inject) {
  return {{"metadata",
           {{"name", "p"}, {"annotations", {{"ocfsgw.io/inject", inject}, {"ocfsgw.io/volume", "v"}}}}},
          {"spec",
           {{"volumes", {{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "c"}}}}}},
            {"containers", {{{"name", "a"}, {"volumeMounts", {{{"name", "v"}, {"mountPath", "/v"}}}}}}}}}};
}

Json Review(Json pod) {
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"request",
           {{"uid", "u-1"},
            {"operation", "CREATE"},
            {"namespace", "n"},
            {"kind", {{"group", ""}, {"version", "v1"}, {"kind", "Pod"}}},
            {"object", std::move(pod)}}}};
}

ReviewAnswer Ask(const std::string& body) { return AnswerReview(body, {}, RandomId); }

Json Response(const ReviewAnswer& answer) {
  const Json review = Json::parse(answer.body);
  EXPECT_EQ(review["apiVersion"], "admission.k8s.io/v1");
  EXPECT_EQ(review["kind"], "AdmissionReview");
  EXPECT_EQ(review["response"]["uid"], "u-1");
  return review["response"];
}

TEST(AnswerReview, InjectsWhatAsks) {
  const ReviewAnswer answer = Ask(Review(Pod("true")).dump());
  EXPECT_EQ(answer.verdict, Verdict::kInjected);
  EXPECT_EQ(answer.log, "n/p injected");
  const Json response = Response(answer);
  EXPECT_EQ(response["allowed"], true);
  EXPECT_EQ(response["patchType"], "JSONPatch");
  EXPECT_THAT(response["patch"].get<std::string>(), MatchesRegex("[A-Za-z0-9+/]+=?=?"));
}

TEST(AnswerReview, RefusesWithAReason) {
  Json pod = Pod("true");
  pod["spec"]["hostUsers"] = false;
  const ReviewAnswer answer = Ask(Review(pod).dump());
  EXPECT_EQ(answer.verdict, Verdict::kRefused);
  const Json response = Response(answer);
  EXPECT_EQ(response["allowed"], false);
  EXPECT_EQ(response["status"]["code"], 422);
  EXPECT_THAT(response["status"]["message"].get<std::string>(), HasSubstr("hostUsers"));
  EXPECT_FALSE(response.contains("patch"));
  EXPECT_THAT(answer.log, HasSubstr("n/p refused: hostUsers"));
}

TEST(AnswerReview, RefusalsAreOneLineOfBoundedLength) {
  Json pod = Pod("true");
  pod["metadata"]["annotations"]["ocfsgw.io/cache"] = "a\n\x7f" + std::string(100'000, 'x');
  const ReviewAnswer answer = Ask(Review(pod).dump());
  const std::string message = Response(answer)["status"]["message"];
  EXPECT_THAT(message, HasSubstr("ocfsgw.io/cache: 'a??xxx"));
  EXPECT_LT(message.size(), 1100u);
  EXPECT_LT(answer.log.size(), 1100u);
}

TEST(AnswerReview, LeavesOthersAlone) {
  for (const ReviewAnswer& answer : {Ask(Review(Pod("false")).dump()), Ask(Review(Json::object()).dump())}) {
    EXPECT_EQ(answer.verdict, Verdict::kUntouched);
    EXPECT_EQ(answer.log, "");
    EXPECT_EQ(Response(answer), Json({{"allowed", true}, {"uid", "u-1"}}));
  }
}

TEST(AnswerReview, MalformedReviews) {
  const auto reason = [](const Json& review) {
    const ReviewAnswer answer = Ask(review.dump());
    EXPECT_EQ(answer.verdict, Verdict::kMalformed) << review.dump();
    EXPECT_EQ(answer.body.find('\n'), answer.body.size() - 1);
    return answer.body;
  };
  EXPECT_THAT(reason(Json::array()), HasSubstr("AdmissionReview"));
  EXPECT_THAT(reason({{"kind", "AdmissionReview"}}), HasSubstr("admission.k8s.io/v1"));
  Json review = Review(Pod("true"));
  review["apiVersion"] = "admission.k8s.io/v1beta1";
  EXPECT_THAT(reason(review), HasSubstr("admission.k8s.io/v1"));
  review = Review(Pod("true"));
  review["kind"] = "Pod";
  EXPECT_THAT(reason(review), HasSubstr("AdmissionReview"));
  for (const Json& uid : {Json(), Json(5), Json("")}) {
    review = Review(Pod("true"));
    review["request"]["uid"] = uid;
    EXPECT_THAT(reason(review), HasSubstr("uid"));
  }
  review = Review(Json("pod"));
  EXPECT_THAT(reason(review), HasSubstr("request.object"));
  EXPECT_EQ(Ask("{").verdict, Verdict::kMalformed);
}

/// Every value of the review, one after the other, becomes something else: there is an answer to each, and no
/// pod that does not ask is refused.
TEST(AnswerReview, AnythingAnywhere) {
  for (const char* inject : {"true", "false"}) {
    const Json review = Review(Pod(inject));
    const Json flat = review.flatten();
    std::set<std::string> pointers;
    for (const auto& [pointer, value] : flat.items()) {
      for (Json::json_pointer at(pointer); !at.empty(); at = at.parent_pointer())
        pointers.insert(at.to_string());
    }
    EXPECT_GT(pointers.size(), 15u);
    for (const std::string& pointer : pointers) {
      for (const Json& value : {Json(), Json(true), Json(-1), Json("\x01$(x)"),
                                Json::array({Json(), {{"name", 1}}}), Json({{"name", Json::array()}})}) {
        Json changed = review;
        changed[Json::json_pointer(pointer)] = value;
        const ReviewAnswer answer = Ask(changed.dump());
        EXPECT_FALSE(answer.body.empty());
        const bool about_us = pointer.find("/object/metadata/annotations") != std::string::npos;
        if (std::string_view(inject) == "false" && !about_us) {
          EXPECT_NE(answer.verdict, Verdict::kRefused) << pointer;
          EXPECT_NE(answer.verdict, Verdict::kInjected) << pointer;
        }
      }
    }
  }
}

TEST(RandomId, IsHexAndNew) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.insert(RandomId());
    EXPECT_THAT(*ids.begin(), MatchesRegex("[0-9a-f]+"));
    EXPECT_EQ(ids.begin()->size(), 32u);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace ocfsgw::injector
